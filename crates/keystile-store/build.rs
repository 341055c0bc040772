//! A migration that is added without a change to the code is still a change.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
