//! The one loop with I/O: carries out the effects of the pure core.
