;; Long instructions: each of them fills all of the memory.
;; before fuel "used up"
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (loop (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536)) (br 0)) unreachable)
