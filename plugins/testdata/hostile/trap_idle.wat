;; observe trap "unreachable"
(func (export "ec_idle") unreachable)
