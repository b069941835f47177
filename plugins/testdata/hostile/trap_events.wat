;; refused "ec_events: start: trap: unreachable"
(func (export "ec_events") (param i32) (result i32) unreachable)
