;; Keeps 64 KiB under a thousand keys: what is beyond its share is refused, and it is told so.
;; manifest {"needs": ["kv"]}
;; grant kv
;; before ok
(import "edgecache_1" "kv_set" (func $set (param i32 i32 i32 i32 i64) (result i32)))
(func (export "ec_before") (param i32 i32 i32 i64 i32) (result i64) (local $i i32) (local $full i32)
	(loop
		(i32.store (i32.const 8192) (local.get $i))
		(if (i32.eq (call $set (i32.const 8192) (i32.const 4) (i32.const 0) (i32.const 65535) (i64.const 0)) (i32.const -2))
			(then (local.set $full (i32.const 1))))
		(br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 50))))
	(if (i32.eqz (local.get $full)) (then unreachable))
	(i64.const 0))
