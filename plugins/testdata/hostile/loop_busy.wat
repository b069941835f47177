;; A loop that counts in memory, so that it has something to do.
;; before fuel "used up"
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64)
	(loop (i64.store (i32.const 8192) (i64.add (i64.load (i32.const 8192)) (i64.const 1))) (br 0)) unreachable)
