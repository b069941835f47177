;; Writes without end.
;; manifest {"needs": ["kv"]}
;; grant kv
;; before fuel "used up"
(import "edgecache_1" "kv_set" (func $set (param i32 i32 i32 i32 i64) (result i32)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64)
	(loop (drop (call $set (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 60000) (i64.const 0))) (br 0)) unreachable)
