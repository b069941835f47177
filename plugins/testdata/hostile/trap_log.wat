;; Says why before it traps: its words are in the error.
;; before trap "unreachable (all is lost)"
(import "edgecache_1" "log" (func $log (param i32 i32 i32)))
(data (i32.const 8192) "all is lost")
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (call $log (i32.const 3) (i32.const 8192) (i32.const 11)) unreachable)
