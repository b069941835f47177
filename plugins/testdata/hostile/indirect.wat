;; Calls a function of another type by a table.
;; before trap "indirect call type mismatch"
(type $t (func (param f64)))
(table 1 funcref)
(elem (i32.const 0) $f)
(func $f)
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (call_indirect (type $t) (f64.const 0) (i32.const 0)) (i64.const 0))
