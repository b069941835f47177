;; before protocol "unknown action 200"
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (i64.const -4035225266123964416))
