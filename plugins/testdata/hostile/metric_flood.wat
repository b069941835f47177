;; Defines metrics without end, and counts as if it had got them all.
;; manifest {"needs": ["metrics"]}
;; grant metrics
;; before protocol "called counter_add with metric -1, which is not defined"
(import "edgecache_1" "metric_define" (func $define (param i32 i32 i32) (result i32)))
(import "edgecache_1" "counter_add" (func $add (param i32 i64)))
(data (i32.const 8192) "m000")
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (local $i i32)
	(loop
		(i32.store8 (i32.const 8194) (i32.add (i32.const 97) (i32.and (local.get $i) (i32.const 15))))
		(i32.store8 (i32.const 8195) (i32.add (i32.const 97) (i32.shr_u (local.get $i) (i32.const 4))))
		(call $add (call $define (i32.const 0) (i32.const 8192) (i32.const 4)) (i64.const 1))
		(br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 256))))
	(i64.const 0))
