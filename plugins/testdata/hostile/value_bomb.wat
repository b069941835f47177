;; Writes a value of all its memory, again and again.
;; manifest {"needs": ["value"]}
;; grant value
;; before-set fuel "used up"
(import "edgecache_1" "value_write" (func $write (param i32 i32) (result i32)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64)
	(loop (drop (call $write (i32.const 0) (i32.const 65536))) (br 0)) unreachable)
