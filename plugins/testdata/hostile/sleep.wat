;; Waits without end in the host, one second a call: guests do not really sleep.
;; manifest {"fuel": 1000000}
;; before fuel "used up"
(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64)
	(i32.store (i32.const 8208) (i32.const 1))
	(i64.store (i32.const 8216) (i64.const 1000000000))
	(loop (drop (call $poll (i32.const 8192) (i32.const 8300) (i32.const 1) (i32.const 8400))) (br 0)) unreachable)
