//! Attention whose keys and values are kept from one step to the next, for models that write token by token.

use candle_core::{D, Device, Result, Tensor};

use super::{Linear, softmax};

/// Projections of queries, keys, values, and of what comes out.
#[derive(Debug, Clone)]
pub(crate) struct CachedAttention {
    /// Of queries: width by width.
    pub query: Linear,
    /// Of keys: any width by width.
    pub key: Linear,
    /// Of values: any width by width.
    pub value: Linear,
    /// Of what comes out: width by width.
    pub out: Linear,
    /// A divisor of the width.
    pub heads: usize,
}

/// Keys and values, split into heads: batch x heads x length x head width.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    keys: Tensor,
    values: Tensor,
}

/// What every layer attends to in the tokens so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    layers: Vec<Kept>,
    length: usize,
}

impl Kept {
    /// This and what comes after it.
    fn followed_by(&self, next: &Self) -> Result<Self> {
        Ok(Self {
            keys: Tensor::cat(&[&self.keys, &next.keys], 2)?,
            values: Tensor::cat(&[&self.values, &next.values], 2)?,
        })
    }

    /// Batch items by number, which may repeat.
    pub fn pick(&self, items: &Tensor) -> Result<Self> {
        Ok(Self { keys: self.keys.index_select(items, 0)?, values: self.values.index_select(items, 0)? })
    }
}

impl Past {
    /// Tokens so far.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Puts the keys and values of new tokens behind those of a layer (layers in their order), and gives all of them.
    pub fn add(&mut self, layer: usize, next: Kept) -> Result<&Kept> {
        match self.layers.get_mut(layer) {
            Some(before) => *before = before.followed_by(&next)?,
            None => self.layers.push(next),
        }
        Ok(&self.layers[layer])
    }

    /// Counts tokens that have gone through all layers.
    pub fn advance(&mut self, tokens: usize) {
        self.length += tokens;
    }

    /// Rows by number, which may repeat.
    pub fn pick(&mut self, rows: &[usize], device: &Device) -> Result<()> {
        let rows = indices(rows, device)?;
        for kept in &mut self.layers {
            *kept = kept.pick(&rows)?;
        }
        Ok(())
    }
}

impl CachedAttention {
    /// Keys and values of `states`: batch x length x width.
    pub fn keep(&self, states: &Tensor) -> Result<Kept> {
        Ok(Kept { keys: self.split(&self.key.forward(states)?)?, values: self.split(&self.value.forward(states)?)? })
    }

    /// Looks from `states` (rows x length x width) at what was kept, and gives besides what comes out the weights: batch x heads x
    /// queries x keys. Where there are several rows for each item of the batch they are looked up as more queries, so that keys are not repeated.
    /// A mask is added to the scores and broadcast to the shape of the weights; one that tells queries apart is for as many rows as items.
    pub fn look(&self, states: &Tensor, kept: &Kept, mask: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        let (rows, length, width) = states.dims3()?;
        let items = kept.keys.dim(0)?;
        let scale = 1.0 / ((width / self.heads) as f64).sqrt();
        let query = (self.query.forward(states)? * scale)?.reshape((items, rows / items * length, width))?;
        let scores = self.split(&query)?.matmul(&kept.keys.transpose(D::Minus1, D::Minus2)?)?;
        let scores = match mask {
            Some(mask) => scores.broadcast_add(mask)?,
            None => scores,
        };
        let weights = softmax(&scores)?;
        let seen = weights.matmul(&kept.values)?.transpose(1, 2)?.reshape((rows, length, width))?;
        Ok((self.out.forward(&seen)?, weights))
    }

    fn split(&self, states: &Tensor) -> Result<Tensor> {
        let (batch, length, width) = states.dims3()?;
        states.reshape((batch, length, self.heads, width / self.heads))?.transpose(1, 2)?.contiguous()
    }
}

/// Hides from each token those after it: queries x keys. One token sees all `before` it.
pub(crate) fn later_tokens(before: usize, length: usize, like: &Tensor) -> Result<Option<Tensor>> {
    if length == 1 {
        return Ok(None);
    }
    let hidden = |query: usize, key: usize| if key > before + query { f32::NEG_INFINITY } else { 0.0 };
    let mask: Vec<f32> =
        (0..length).flat_map(|query| (0..before + length).map(move |key| hidden(query, key))).collect();
    Tensor::from_vec(mask, (length, before + length), like.device())?.to_dtype(like.dtype()).map(Some)
}

/// Places as a tensor, to select by.
pub(crate) fn indices(places: &[usize], device: &Device) -> Result<Tensor> {
    let places: Vec<u32> = places.iter().map(|place| *place as u32).collect();
    Tensor::new(places, device)
}
