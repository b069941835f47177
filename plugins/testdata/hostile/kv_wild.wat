;; manifest {"needs": ["kv"]}
;; grant kv
;; before protocol "outside its memory"
(import "edgecache_1" "kv_set" (func $set (param i32 i32 i32 i32 i64) (result i32)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64)
	(drop (call $set (i32.const 0) (i32.const -1) (i32.const -1) (i32.const -1) (i64.const 0))) (i64.const 0))
