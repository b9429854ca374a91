//! Reads of the current world, for `scripts/instructions` to count the instructions of: what is counted is inside the
//! functions whose names begin with `counted`.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use knhk_kernel::world::{Reader, SnapshotPromoter};

/// Reads of each step.
const READS: usize = 100_000;

#[inline(never)]
fn counted_read(reader: &mut Reader<'_>) {
    for _ in 0..READS {
        black_box(black_box(&mut *reader).load());
    }
}

/// What it is measured by: no read of anything that another thread may replace is cheaper.
#[inline(never)]
fn counted_load(plain: &AtomicUsize) {
    for _ in 0..READS {
        black_box(black_box(plain).load(Ordering::Acquire));
    }
}

fn main() {
    let promoter = SnapshotPromoter::default();
    let mut reader = promoter.reader();
    counted_read(&mut reader);
    counted_load(&AtomicUsize::new(1));
}
