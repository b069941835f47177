;; A trap in every hook.
;; before trap "unreachable"
;; after trap "integer divide by zero"
;; observe memory "out of bounds memory access"
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) unreachable)
(func (export "ec_after") (param i32 i32 i32 i64 i32) (result i64) (i64.extend_i32_u (i32.div_u (i32.const 1) (i32.const 0))))
(func (export "ec_observe") (param i32) (drop (i32.load (i32.const -1))))
