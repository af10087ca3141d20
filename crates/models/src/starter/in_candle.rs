//! The bundled towers on candle's own tensors, written anew from `training/README.md`: what the kernels of this crate compute, any other
//! runtime computes from the same files.

use candle_core::{D, Device, IndexOp, Result, Tensor};

use super::goldens;
use super::picture::tests::picture;
use super::sound::tests::log_mel_picture;
use crate::source::Source;
use crate::weights::Weights;

struct Net(Weights);

impl Net {
    fn open(file: &str) -> Self {
        let source: Source = goldens::source();
        Self(Weights::open(&source.file(file).unwrap()).unwrap())
    }

    fn tensor(&self, name: &str) -> Tensor {
        let shape = self.0.shape(name).unwrap_or_else(|| panic!("no tensor {name}")).to_vec();
        Tensor::from_vec(self.0.tensor(name, &shape).unwrap(), shape, &Device::Cpu).unwrap()
    }

    fn conv(&self, x: &Tensor, name: &str, stride: usize, padding: usize) -> Result<Tensor> {
        let bias = self.tensor(&format!("{name}.bias")).reshape((1, (), 1, 1))?;
        x.conv2d(&self.tensor(&format!("{name}.weight")), padding, stride, 1, 1)?.broadcast_add(&bias)
    }

    fn linear(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let y = x.broadcast_matmul(&self.tensor(&format!("{name}.weight")).t()?)?;
        if self.0.has(&format!("{name}.bias")) { y.broadcast_add(&self.tensor(&format!("{name}.bias"))) } else { Ok(y) }
    }

    fn norm(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let spread = (centred.sqr()?.mean_keepdim(D::Minus1)? + 1e-5)?.sqrt()?;
        let scaled = centred.broadcast_div(&spread)?.broadcast_mul(&self.tensor(&format!("{name}.weight")))?;
        scaled.broadcast_add(&self.tensor(&format!("{name}.bias")))
    }
}

fn padded(x: &Tensor, by: usize) -> Result<Tensor> {
    x.pad_with_same(2, by, by)?.pad_with_same(3, by, by)
}

/// (1, 3, 64, 64) in 0..1 to seven channels.
fn front_end(rgb: &Tensor) -> Result<Tensor> {
    let ink = ((1.0 - rgb)? * 2.0)?;
    let luma = ((rgb.i((.., 0..1))? * 0.299)? + (rgb.i((.., 1..2))? * 0.587)? + (rgb.i((.., 2..3))? * 0.114)?)?;
    let sobel = [-1f32, 0., 1., -2., 0., 2., -1., 0., 1., -1., -2., -1., 0., 0., 0., 1., 2., 1.].map(|tap| tap / 8.0);
    let gradient = padded(&luma, 1)?.conv2d(&Tensor::from_slice(&sobel, (2, 1, 3, 3), &Device::Cpu)?, 0, 1, 1, 1)?;
    let (gx, gy) = (gradient.i((.., 0..1))?, gradient.i((.., 1..2))?);
    let magnitude = ((gx.sqr()? + gy.sqr()?)? + 1e-6)?.sqrt()?;
    let around = (padded(&magnitude, 4)?.avg_pool2d_with_stride((9, 9), (1, 1))? + 0.02)?;
    let both = (&magnitude * &around)?;
    let double = ((gx.sqr()? - gy.sqr()?)? / &both)?;
    Tensor::cat(&[ink, double, (((&gx * &gy)? * 2.0)? / &both)?, (gx / &around)?, (gy / &around)?], 1)
}

fn see(net: &Net, rgb: &Tensor) -> Result<Vec<f32>> {
    let mut x = net.conv(&front_end(rgb)?, "stem", 2, 1)?.relu()?;
    for (block, stride) in [1, 2, 2, 1, 2].into_iter().enumerate() {
        let name = |part: &str| format!("blocks.{block}.{part}");
        let y = net.conv(&x, &name("conv1"), stride, 1)?.relu()?;
        let y = net.conv(&y, &name("conv2"), 1, 1)?;
        let has_shortcut = net.0.has(&name("shortcut.weight"));
        let shortcut = if has_shortcut { net.conv(&x, &name("shortcut"), stride, 0)? } else { x };
        x = (y + shortcut)?.relu()?;
    }
    net.linear(&x.mean((2, 3))?, "head")?.flatten_all()?.to_vec1()
}

fn hear(net: &Net, picture: &Tensor) -> Result<Vec<f32>> {
    const HEADS: usize = 4;
    let at = |name: &str| format!("vision_model.{name}");
    let patches = net.tensor(&at("embeddings.patch_embedding.weight"));
    let patches = picture.conv2d(&patches, 0, 16, 1, 1)?.flatten_from(2)?.transpose(1, 2)?;
    let start = net.tensor(&at("embeddings.class_embedding")).reshape((1, 1, ()))?;
    let places = net.tensor(&at("embeddings.position_embedding.weight"));
    let x = Tensor::cat(&[start, patches], 1)?.broadcast_add(&places)?;
    let mut x = net.norm(&x, &at("pre_layrnorm"))?;
    for layer in 0..5 {
        let name = |part: &str| at(&format!("encoder.layers.{layer}.{part}"));
        let normed = net.norm(&x, &name("layer_norm1"))?;
        let heads = |part: &str| -> Result<Tensor> {
            let all = net.linear(&normed, &name(&format!("self_attn.{part}")))?;
            let (batch, tokens, width) = all.dims3()?;
            all.reshape((batch, tokens, HEADS, width / HEADS))?.transpose(1, 2)?.contiguous()
        };
        let scores = (heads("q_proj")?.matmul(&heads("k_proj")?.t()?)? / 8.0)?;
        let seen = candle_nn::ops::softmax_last_dim(&scores)?.matmul(&heads("v_proj")?)?;
        let seen = seen.transpose(1, 2)?.flatten_from(2)?;
        x = (x + net.linear(&seen, &name("self_attn.out_proj"))?)?;
        let inner = net.linear(&net.norm(&x, &name("layer_norm2"))?, &name("mlp.fc1"))?.gelu_erf()?;
        x = (x + net.linear(&inner, &name("mlp.fc2"))?)?;
    }
    let first = net.norm(&x.i((.., 0))?, &at("post_layernorm"))?;
    net.linear(&first, "visual_projection")?.flatten_all()?.to_vec1()
}

#[test]
fn pictures_are_seen_as_in_pytorch() {
    let net = Net::open("picture.safetensors");
    for golden in goldens::read().pictures {
        let rgb = Tensor::from_vec(picture(&golden.name), (1, 3, 64, 64), &Device::Cpu).unwrap();
        golden.check(&see(&net, &rgb).unwrap());
    }
}

#[test]
fn sounds_are_heard_as_in_pytorch() {
    let net = Net::open("sound.safetensors");
    for golden in goldens::read().sounds {
        let mel = Tensor::from_vec(log_mel_picture(&golden.name), (1, 1, 128, 128), &Device::Cpu).unwrap();
        golden.check(&hear(&net, &mel).unwrap());
    }
}
