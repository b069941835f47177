;; Asks for a buffer elsewhere with every call, and moves what the host has seen by growing the memory.
;; before ok
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (drop (memory.grow (i32.const 1))) (i64.const 0))
