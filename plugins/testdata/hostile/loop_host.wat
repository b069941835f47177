;; Spends its time in the host.
;; before fuel "used up"
(import "edgecache_1" "now_ns" (func $now (result i64)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (loop (drop (call $now)) (br 0)) unreachable)
