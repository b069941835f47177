;; Two functions that call each other by a table.
;; before fuel "used up"
(type $t (func))
(table 2 funcref)
(elem (i32.const 0) $a $b)
(func $a (call_indirect (type $t) (i32.const 1)) (drop (i32.const 0)))
(func $b (call_indirect (type $t) (i32.const 0)) (drop (i32.const 0)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (call $a) (i64.const 0))
