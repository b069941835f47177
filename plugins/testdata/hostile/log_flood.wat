;; Logs without end. Its lines are limited, and it runs out of fuel; that failure is logged all the same.
;; before fuel "used up"
(import "edgecache_1" "log" (func $log (param i32 i32 i32)))
(data (i32.const 8192) "flood")
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (loop (call $log (i32.const 2) (i32.const 8192) (i32.const 5)) (br 0)) unreachable)
