;; Tables grow outside of the memory limit; what they ask for is paid before it is had.
;; before fuel "used up"
(table $t 1 funcref)
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64)
	(if (i32.ne (table.grow $t (ref.null func) (i32.const 100000000)) (i32.const -1)) (then unreachable))
	(i64.const 0))
