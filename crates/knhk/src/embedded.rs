//! What the build script compiled in: error pages and shipped packs.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
