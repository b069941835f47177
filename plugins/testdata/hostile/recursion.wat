;; before fuel "used up"
(func $f (call $f) (drop (i32.const 0)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (call $f) (i64.const 0))
