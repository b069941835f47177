;; report protocol "outside its memory"
(func (export "ec_stats") (result i64) (i64.const 0xffffffff00000010))
