;; Calls its own exports from within a call.
;; before ok
(func $buf (export "ec_buf") (param i32) (result i32) (select (i32.const 1024) (i32.const 0) (i32.le_u (local.get 0) (i32.const 16384))))
(func $observe (export "ec_observe") (param i32))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (call $observe (i32.const 1)) (i64.extend_i32_u (i32.sub (call $buf (i32.const 64)) (i32.const 1024))))
