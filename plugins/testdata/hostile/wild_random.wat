;; before protocol "asked for 65536 random bytes"
(import "edgecache_1" "random" (func $random (param i32 i32)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (call $random (i32.const 0) (i32.const 65536)) (i64.const 0))
