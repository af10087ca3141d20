//! The order of tokens in which windows of attention lie one after another, and which of their tokens are neighbours.

use candle_core::{Device, Result, Tensor};

/// How much a pair of tokens that are no neighbours is put back, as the reference has it.
const APART: f32 = -100.0;

/// A grid of tokens cut into square windows, the grid first turned by `shift` rows and columns (Liu et al., "Swin transformer", 2021).
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    /// Tokens in a row and in a column of the grid.
    pub grid: usize,
    /// Tokens in a row and in a column of a window; divides the grid.
    pub side: usize,
    /// By how many rows and columns.
    pub shift: usize,
}

impl Windows {
    /// How many there are.
    pub fn count(self) -> usize {
        (self.grid / self.side) * (self.grid / self.side)
    }

    /// Tokens of one.
    pub fn tokens(self) -> usize {
        self.side * self.side
    }

    /// Row and column in the turned grid, window by window.
    fn turned_places(self) -> impl Iterator<Item = (usize, usize)> {
        let (across, tokens, side) = (self.grid / self.side, self.tokens(), self.side);
        (0..self.grid * self.grid).map(move |index| {
            let (window, token) = (index / tokens, index % tokens);
            (window / across * side + token / side, window % across * side + token % side)
        })
    }

    /// Where in the grid the tokens of the windows come from.
    pub fn order(self) -> Vec<u32> {
        let turn = |place: usize| (place + self.shift) % self.grid;
        self.turned_places().map(|(row, column)| (turn(row) * self.grid + turn(column)) as u32).collect()
    }

    /// Windows x tokens x tokens: zero for neighbours; [`APART`] for those that only the turn has put into one window.
    fn seams(self) -> Vec<f32> {
        let part =
            |place: usize| usize::from(place >= self.grid - self.side) + usize::from(place >= self.grid - self.shift);
        let parts: Vec<usize> = self.turned_places().map(|(row, column)| 3 * part(row) + part(column)).collect();
        let window = |parts: &[usize]| -> Vec<f32> {
            let row =
                |one: &usize| parts.iter().map(|other| if one == other { 0.0 } else { APART }).collect::<Vec<_>>();
            parts.iter().flat_map(row).collect()
        };
        parts.chunks_exact(self.tokens()).flat_map(window).collect()
    }

    /// What is added to the scores: windows x heads x tokens x tokens, or one for all windows where the grid is not turned. `table` has a row of
    /// heads for every distance between two tokens: (2 side - 1) squared of them.
    pub fn bias(self, table: &Tensor) -> Result<Tensor> {
        let (tokens, side) = (self.tokens(), self.side);
        let pairs = (0..tokens).flat_map(|query| (0..tokens).map(move |key| (query, key)));
        let distance = |query: usize, key: usize| query + side - 1 - key;
        let row = |(query, key): (usize, usize)| {
            (distance(query / side, key / side) * (2 * side - 1) + distance(query % side, key % side)) as u32
        };
        let rows = Tensor::from_iter(pairs.map(row), table.device())?;
        let heads = table.dim(1)?;
        let bias = table.index_select(&rows, 0)?.t()?.reshape((1, heads, tokens, tokens))?;
        if self.shift == 0 {
            return Ok(bias);
        }
        let seams = Tensor::from_vec(self.seams(), (self.count(), 1, tokens, tokens), table.device())?;
        bias.broadcast_add(&seams.to_dtype(table.dtype())?)
    }
}

/// Where the tokens of 2 x 2 squares come from, square by square: the left column first.
pub fn squares(grid: usize) -> Vec<u32> {
    let half = grid / 2;
    let square = |index: usize| {
        let corner = 2 * (index / half) * grid + 2 * (index % half);
        [corner, corner + grid, corner + 1, corner + grid + 1].map(|place| place as u32)
    };
    (0..half * half).flat_map(square).collect()
}

/// A reordering of tokens and the way back.
#[derive(Debug, Clone)]
pub struct Order {
    there: Tensor,
    back: Tensor,
}

impl Order {
    /// `order` holds every number below its length once.
    pub fn new(order: &[u32], device: &Device) -> Result<Self> {
        let mut back = vec![0_u32; order.len()];
        for (place, from) in order.iter().enumerate() {
            back[*from as usize] = place as u32;
        }
        Ok(Self { there: Tensor::new(order, device)?, back: Tensor::new(back, device)? })
    }

    /// Batch x tokens x width into the order.
    pub fn apply(&self, states: &Tensor) -> Result<Tensor> {
        states.index_select(&self.there, 1)
    }

    /// Batch x tokens x width back to the order before.
    pub fn undo(&self, states: &Tensor) -> Result<Tensor> {
        states.index_select(&self.back, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_one_after_another() {
        let plain = Windows { grid: 4, side: 2, shift: 0 };
        assert_eq!(plain.order(), [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]);
        let turned = Windows { shift: 1, ..plain };
        assert_eq!(turned.order()[..4], [5, 6, 9, 10]);
        assert_eq!(turned.order()[12..], [15, 12, 3, 0]);
    }

    #[test]
    fn the_turn_makes_no_neighbours() {
        let turned = Windows { grid: 4, side: 2, shift: 1 };
        let seams = turned.seams();
        assert_eq!(seams[..16], [0.0; 16]);
        // The last window holds the four corners of the grid.
        let corners: Vec<f32> = (0..16).map(|pair| if pair / 4 == pair % 4 { 0.0 } else { APART }).collect();
        assert_eq!(seams[48..], corners);
    }

    #[test]
    fn there_and_back() {
        let device = Device::Cpu;
        let order = Order::new(&Windows { grid: 8, side: 4, shift: 2 }.order(), &device).unwrap();
        let states = Tensor::arange(0_f32, 2.0 * 64.0 * 3.0, &device).unwrap().reshape((2, 64, 3)).unwrap();
        let same = order.undo(&order.apply(&states).unwrap()).unwrap();
        assert_eq!(same.to_vec3::<f32>().unwrap(), states.to_vec3::<f32>().unwrap());
        assert_ne!(order.apply(&states).unwrap().to_vec3::<f32>().unwrap(), states.to_vec3::<f32>().unwrap());
    }

    #[test]
    fn bias_is_by_distance() {
        let table = Tensor::arange(0_f32, 18.0, &Device::Cpu).unwrap().reshape((9, 2)).unwrap();
        let bias = Windows { grid: 4, side: 2, shift: 0 }.bias(&table).unwrap();
        assert_eq!(bias.dims(), [1, 2, 4, 4]);
        // Head 0: row r of the table holds 2 r; the row of a token and itself is the middle one, 4.
        let first: Vec<f32> = bias.flatten_all().unwrap().to_vec1::<f32>().unwrap()[..4].to_vec();
        assert_eq!(first, [8.0, 6.0, 2.0, 0.0]);
    }

    #[test]
    fn squares_go_down_first() {
        assert_eq!(squares(4)[..8], [0, 4, 1, 5, 2, 6, 3, 7]);
    }
}
