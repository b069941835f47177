;; Overwrites all of the header that it must leave alone: it has harmed itself alone.
;; before ok
;; after ok
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (memory.fill (i32.const 1024) (i32.const 255) (i32.const 64)) (i64.const 0))
