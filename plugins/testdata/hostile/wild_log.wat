;; before protocol "called log with 4294967295 bytes at 4294967295, outside its memory"
(import "edgecache_1" "log" (func $log (param i32 i32 i32)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (call $log (i32.const 1) (i32.const -1) (i32.const -1)) (i64.const 0))
