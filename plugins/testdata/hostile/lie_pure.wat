;; Says that it is pure and is not. What it did with a key is then done for that key: no more than that.
;; manifest {"pure": true, "hooks": ["before"]}
;; before ok
(import "edgecache_1" "random" (func $random (param i32 i32)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (call $random (i32.const 1088) (i32.const 4)) (i64.const 72057868915834884))
