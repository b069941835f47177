;; The manifest promises hooks that are not there.
;; bare
;; refused "export ec_before is missing: hook"
(func (export "edgecache_abi_hook_1"))
(memory (export "memory") 1)
(func (export "ec_buf") (param i32) (result i32) i32.const 1024)
