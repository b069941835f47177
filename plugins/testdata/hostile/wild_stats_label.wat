;; report protocol "label 0xffffffffffffffff is no operation and namespace"
(data (i32.const 8192) "\ff\ff\ff\ff\ff\ff\ff\ff")
(func (export "ec_stats") (result i64) (i64.const 0x0000200000000001))
