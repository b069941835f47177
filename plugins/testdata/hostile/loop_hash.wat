;; Has the host hash all of its memory again and again.
;; before fuel "used up"
(import "edgecache_1" "hash64" (func $hash (param i32 i32) (result i64)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (loop (drop (call $hash (i32.const 0) (i32.const 65536))) (br 0)) unreachable)
