;; report protocol "reports 4294967295 rows: at most 4096 are allowed"
(func (export "ec_stats") (result i64) (i64.const 0xffffffff))
