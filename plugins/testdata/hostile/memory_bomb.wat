;; Takes all memory that it gets and touches every page. That is its right: it gets 4 pages.
;; before ok
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (local $p i32)
	(block (loop (br_if 1 (i32.eq (memory.grow (i32.const 1)) (i32.const -1))) (br 0)))
	(if (i32.ne (memory.size) (i32.const 4)) (then unreachable))
	(memory.fill (i32.const 32768) (i32.const 7) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 32768)))
	(i64.const 0))
