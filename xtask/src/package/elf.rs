//! A binary that is shipped runs on any Linux of its machine: it asks for no loader.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::Platform;

/// A program header that names a loader.
const INTERPRETER: u32 = 3;

/// Refuses a binary of another machine, and one that is not static.
pub(super) fn check(binary: &Path, platform: Platform) -> Result<()> {
    let bytes = std::fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let (machine, loader) = read(&bytes).with_context(|| format!("{} is no ELF of 64 bits", binary.display()))?;
    ensure!(machine == platform.machine, "{} is of machine {machine}, not of {}", binary.display(), platform.target);
    ensure!(!loader, "{} is not static: it asks for a loader", binary.display());
    Ok(())
}

/// The machine, and whether a loader is asked for.
fn read(bytes: &[u8]) -> Option<(u16, bool)> {
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let u16_at = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let headers = usize::try_from(u64::from_le_bytes(bytes.get(32..40)?.try_into().ok()?)).ok()?;
    let (size, count) = (usize::from(u16_at(54)?), usize::from(u16_at(56)?));
    let kind = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?));
    let kinds: Option<Vec<u32>> = (0..count).map(|n| kind(headers.checked_add(n * size)?)).collect();
    Some((u16_at(18)?, kinds?.contains(&INTERPRETER)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::PLATFORMS;
    use super::*;

    /// A program header of what is only loaded.
    pub(in super::super) const LOADED: u8 = 1;

    /// The head of a binary of this machine, with one program header of this kind.
    pub(in super::super) fn of(machine: u16, kind: u8) -> Vec<u8> {
        let mut elf = vec![0; 64 + 56];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[18..20].copy_from_slice(&machine.to_le_bytes());
        (elf[32], elf[54], elf[56], elf[64]) = (64, 56, 1, kind);
        elf
    }

    #[test]
    fn what_needs_a_loader_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x");
        for (kind, is_static) in [(LOADED, true), (3, false)] {
            std::fs::write(&file, of(PLATFORMS[0].machine, kind)).unwrap();
            assert_eq!(check(&file, PLATFORMS[0]).is_ok(), is_static);
            assert!(check(&file, PLATFORMS[1]).is_err(), "another machine");
        }
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        assert!(check(&file, PLATFORMS[0]).is_err());
    }
}
