;; The same with an instance for each call.
;; concurrent ok
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (local $i i32)
	(if (i32.load (i32.const 8192)) (then unreachable))
	(i32.store (i32.const 8192) (i32.const 1))
	(local.set $i (i32.const 200))
	(loop (br_if 0 (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
	(i32.store (i32.const 8192) (i32.const 0))
	(i64.const 0))
