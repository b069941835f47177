;; Has the host work for it: 4,096 bytes at a time.
;; before fuel "used up"
(import "edgecache_1" "random" (func $random (param i32 i32)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (loop (call $random (i32.const 8192) (i32.const 4096)) (br 0)) unreachable)
