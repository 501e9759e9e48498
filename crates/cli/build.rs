//! Link options of the released binary.
//!
//! An agent calls `adj` hundreds of times, and most of what a short command costs is the loader's work: relocating a
//! position-independent image, binding every symbol before `main`, and opening one more library. On Linux with the GNU
//! C library the three are left out; what they would harden against needs a remote attacker, and `adj` speaks to its
//! user's own socket.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    let glibc = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if glibc && is("PROFILE", "release") && is("CARGO_CFG_TARGET_ARCH", "x86_64") {
        for option in ["-no-pie", "-Wl,-z,lazy", "-static-libgcc"] {
            println!("cargo:rustc-link-arg-bins={option}");
        }
    }
}
