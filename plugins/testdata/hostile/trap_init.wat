;; refused "ec_init: start: trap: unreachable"
(func (export "ec_init") (param i32 i64) (result i32) unreachable)
