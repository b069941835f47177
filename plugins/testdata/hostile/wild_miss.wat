;; before protocol "with an offset or a length"
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (i64.const 288230380446679041))
