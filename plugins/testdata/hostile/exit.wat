;; Ends itself, and would end the process if it could.
;; before exit "exit_code(7)"
(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (call $exit (i32.const 7)) (i64.const 0))
