;; manifest {"needs": ["metrics"]}
;; grant metrics
;; before protocol "metric_define"
(import "edgecache_1" "metric_define" (func $define (param i32 i32 i32) (result i32)))
(data (i32.const 8192) "no\nname")
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64)
	(drop (call $define (i32.const 0) (i32.const 8192) (i32.const 7))) (i64.const 0))
