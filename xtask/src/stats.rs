//! Medians and percentiles, for sizes as for times.

/// The value below which `percent` of the values lie, by nearest rank; `sorted` ascends.
pub(crate) fn percentile<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// The value in the middle.
pub(crate) fn median<T: Copy + Default>(sorted: &[T]) -> T {
    percentile(sorted, 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank() {
        let values: Vec<u32> = (1..=100).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 95), percentile(&values, 99)), (50, 95, 99));
        assert_eq!(median(&[7, 9, 30]), 9);
    }

    #[test]
    fn of_one_and_of_none() {
        assert_eq!(percentile(&[4], 99), 4);
        assert_eq!(median::<u32>(&[]), 0);
    }
}
