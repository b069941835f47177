;; before protocol "outside its memory"
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (i64.const 72057873210802175))
