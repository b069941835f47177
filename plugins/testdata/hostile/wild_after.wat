;; Settles a command that is over.
;; after protocol "returned deny"
(func (export "ec_after") (param i32 i32 i32 i64 i32) (result i64) (i64.const 216172782113783808))
