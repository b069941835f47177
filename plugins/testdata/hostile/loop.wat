;; An endless loop in every hook.
;; before fuel "used up 1000000 units"
;; after fuel "used up 1000000 units"
;; observe fuel "used up 5000000 units"
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (loop (br 0)) unreachable)
(func (export "ec_after") (param i32 i32 i32 i64 i32) (result i64) (loop (br 0)) unreachable)
(func (export "ec_observe") (param i32) (loop (br 0)))
