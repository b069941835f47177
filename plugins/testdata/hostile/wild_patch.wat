;; A list of patches whose length is a lie.
;; before protocol "patch of field 1 says 4294967295 bytes"
(data (i32.const 2048) "\01\ff\ff\ff\ff")
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (i64.const 360292368236150789))
