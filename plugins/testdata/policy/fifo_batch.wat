;; FIFO in the batched form: a ring of residents, and a byte and a size for each object. The frame stands at 64.
(module
  (memory (export "memory") 1)
  (global $capacity (mut i64) (i64.const 0))
  (global $used (mut i64) (i64.const 0))
  (global $bytes (mut i32) (i32.const 0))    ;; sizes count
  (global $resident (mut i32) (i32.const 0)) ;; bytes by id
  (global $size (mut i32) (i32.const 0))     ;; words by id
  (global $ring (mut i32) (i32.const 0))     ;; words: ids of residents
  (global $most (mut i32) (i32.const 0))     ;; places of the ring
  (global $count (mut i32) (i32.const 0))    ;; residents
  (global $oldest (mut i32) (i32.const 0))   ;; its place in the ring
  (global $victim (mut i32) (i32.const 0))   ;; where the next one goes
  (global $end (mut i32) (i32.const 66560))  ;; of the memory in use: the call buffer has 64 KiB
  (func (export "edgecache_abi_policy_1"))
  (func (export "ec_buf") (param i32) (result i32) (i32.const 1024))

  ;; $take returns memory of so many bytes.
  (func $take (param $size i32) (result i32)
    (local $pages i32)
    (global.get $end)
    (global.set $end (i32.and (i32.add (i32.add (global.get $end) (local.get $size)) (i32.const 7)) (i32.const -8)))
    (local.set $pages (i32.shr_u (i32.add (global.get $end) (i32.const 65535)) (i32.const 16)))
    (if (i32.gt_u (local.get $pages) (memory.size))
      (then (if (i32.lt_s (memory.grow (i32.sub (local.get $pages) (memory.size))) (i32.const 0)) (then (unreachable))))))
  (func $words (param $n i32) (result i32) (call $take (i32.shl (local.get $n) (i32.const 2))))

  (func (export "ec_policy_init") (param i32) (result i32)
    (local $objects i32) (local $batch i32)
    (global.set $capacity (i64.load (i32.const 1024)))
    (local.set $objects (i32.load (i32.const 1040)))
    (global.set $most (i32.load (i32.const 1044)))
    (local.set $batch (i32.load (i32.const 1048)))
    (global.set $bytes (i32.and (i32.load (i32.const 1052)) (i32.const 1)))
    (global.set $resident (call $take (local.get $objects)))
    (global.set $size (call $words (local.get $objects)))
    (global.set $ring (call $words (global.get $most)))
    (i32.store (i32.const 64) (call $words (local.get $batch)))
    (i32.store (i32.const 68) (call $words (local.get $batch)))
    (i32.store (i32.const 72) (call $words (i32.shr_u (i32.add (local.get $batch) (i32.const 31)) (i32.const 5))))
    (i32.store (i32.const 76) (call $take (i32.shl (i32.add (local.get $batch) (global.get $most)) (i32.const 3))))
    (i32.const 64))

  ;; $place is the address of the n-th oldest resident in the ring, $at of a word of a column.
  (func $place (param $n i32) (result i32)
    (call $at (global.get $ring) (i32.rem_u (i32.add (global.get $oldest) (local.get $n)) (global.get $most))))
  (func $at (param $column i32) (param $i i32) (result i32)
    (i32.add (local.get $column) (i32.shl (local.get $i) (i32.const 2))))
  (func $present (param $id i32) (result i32) (i32.add (global.get $resident) (local.get $id)))

  (func $hit (param $i i32)
    (local $word i32)
    (local.set $word (call $at (i32.load (i32.const 72)) (i32.shr_u (local.get $i) (i32.const 5))))
    (i32.store (local.get $word) (i32.or (i32.load (local.get $word)) (i32.shl (i32.const 1) (local.get $i)))))

  ;; $gone accounts for an object that goes.
  (func $gone (param $id i32)
    (i32.store8 (call $present (local.get $id)) (i32.const 0))
    (global.set $used (i64.sub (global.get $used) (i64.load32_u (call $at (global.get $size) (local.get $id)))))
    (global.set $count (i32.sub (global.get $count) (i32.const 1))))

  (func $evict (param $i i32)
    (local $id i32)
    (local.set $id (i32.load (call $place (i32.const 0))))
    (i32.store (global.get $victim) (local.get $i))
    (i32.store offset=4 (global.get $victim) (local.get $id))
    (global.set $victim (i32.add (global.get $victim) (i32.const 8)))
    (call $gone (local.get $id))
    (global.set $oldest (i32.rem_u (i32.add (global.get $oldest) (i32.const 1)) (global.get $most))))

  (func $miss (param $i i32) (param $id i32)
    (local $size i32)
    (local.set $size (i32.const 1))
    (if (global.get $bytes)
      (then (local.set $size (i32.load (call $at (i32.load (i32.const 68)) (local.get $i))))))
    (loop $full
      (if (i64.gt_u (i64.add (global.get $used) (i64.extend_i32_u (local.get $size))) (global.get $capacity))
        (then (call $evict (local.get $i)) (br $full))))
    (i32.store8 (call $present (local.get $id)) (i32.const 1))
    (i32.store (call $at (global.get $size) (local.get $id)) (local.get $size))
    (i32.store (call $place (global.get $count)) (local.get $id))
    (global.set $used (i64.add (global.get $used) (i64.extend_i32_u (local.get $size))))
    (global.set $count (i32.add (global.get $count) (i32.const 1))))

  (func (export "ec_policy_batch") (param $n i32) (result i32)
    (local $i i32) (local $id i32)
    (global.set $victim (i32.load (i32.const 76)))
    (memory.fill (i32.load (i32.const 72)) (i32.const 0) (i32.shl (i32.shr_u (i32.add (local.get $n) (i32.const 31)) (i32.const 5)) (i32.const 2)))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $i) (local.get $n)))
        (local.set $id (i32.load (call $at (i32.load (i32.const 64)) (local.get $i))))
        (if (i32.load8_u (call $present (local.get $id)))
          (then (call $hit (local.get $i)))
          (else (call $miss (local.get $i) (local.get $id))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (i32.shr_u (i32.sub (global.get $victim) (i32.load (i32.const 76))) (i32.const 3)))

  ;; Those that came behind it move up by one.
  (func (export "ec_policy_remove") (param $id i32)
    (local $n i32)
    (loop $seek
      (if (i32.ne (i32.load (call $place (local.get $n))) (local.get $id))
        (then (local.set $n (i32.add (local.get $n) (i32.const 1))) (br $seek))))
    (call $gone (local.get $id))
    (block $done
      (loop $move
        (br_if $done (i32.eq (local.get $n) (global.get $count)))
        (i32.store (call $place (local.get $n)) (i32.load (call $place (i32.add (local.get $n) (i32.const 1)))))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br $move)))))
