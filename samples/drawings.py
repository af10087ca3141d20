"""The sample drawings: name -> the inside of a 256 x 256 SVG. Bold, filled shapes with a dark outline."""

INK = "#2b2b33"


def svg(body):
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="512" height="512" viewBox="0 0 256 256">\n'
        '<g fill="none" stroke-linecap="round" stroke-linejoin="round">\n'
        + body.strip()
        + "\n</g>\n</svg>\n"
    )


def ring(count, radius, shape, cx=128, cy=128):
    """`shape` drawn `count` times around a centre; it is given pointing up, at distance `radius`."""
    steps = (360 * i / count for i in range(count))
    return "\n".join(
        f'<g transform="rotate({step:g} {cx} {cy}) translate({cx} {cy - radius})">{shape}</g>' for step in steps
    )


def wheel(cx, cy, r, hub="#c9ccd6"):
    return (
        f'<circle cx="{cx}" cy="{cy}" r="{r}" fill="{INK}"/>'
        f'<circle cx="{cx}" cy="{cy}" r="{r * 0.5:g}" fill="{hub}"/>'
    )


def spokes(cx, cy, r):
    lines = "".join(
        f'<path d="M{cx} {cy - r}V{cy + r}" stroke="#8a8f9c" stroke-width="3" transform="rotate({a} {cx} {cy})"/>'
        for a in (0, 45, 90, 135)
    )
    return f'<circle cx="{cx}" cy="{cy}" r="{r}" stroke="{INK}" stroke-width="11"/>{lines}'


DRAWINGS = {
    "guitar": """
<g transform="translate(122 132) rotate(42) scale(0.84) translate(-128 -118)">
<rect x="117" y="18" width="22" height="120" fill="#5b3a21"/>
<path d="M112 -22h32l4 40h-40z" fill="#3c2615"/>
<g fill="#e6e6ea"><circle cx="106" cy="-12" r="5"/><circle cx="106" cy="5" r="5"/><circle cx="150" cy="-12" r="5"/><circle cx="150" cy="5" r="5"/></g>
<path d="M128 108C104 108 84 120 86 144C87 158 92 160 88 170C80 182 68 190 68 214C68 246 96 264 128 264C160 264 188 246 188 214C188 190 176 182 168 170C164 160 169 158 170 144C172 120 152 108 128 108Z" fill="#d9822b" stroke="#7a4213" stroke-width="8"/>
<rect x="117" y="90" width="22" height="56" fill="#5b3a21"/>
<circle cx="128" cy="166" r="24" fill="#3c2615" stroke="#f4c98b" stroke-width="5"/>
<rect x="98" y="222" width="60" height="13" rx="5" fill="#3c2615"/>
<g stroke="#f5f0e2" stroke-width="2"><path d="M121 10V224M126 10V224M131 10V224M136 10V224"/></g>
</g>""",
    "violin": """
<g transform="translate(116 122) rotate(35) scale(0.84) translate(-128 -108)">
<rect x="119" y="6" width="18" height="110" fill="#2a1a12"/>
<path d="M112 4C104 -22 128 -38 140 -22C148 -8 130 -2 136 8Z" fill="#8b3a14" stroke="#4a1c08" stroke-width="6"/>
<g stroke="#2a1a12" stroke-width="7"><path d="M104 -2H120M136 -10H152M104 12H120M136 14H152"/></g>
<path d="M128 84C102 84 88 98 90 120C91 132 100 136 104 148C108 160 98 166 90 176C82 186 78 196 80 210C83 238 104 250 128 250C152 250 173 238 176 210C178 196 174 186 166 176C158 166 148 160 152 148C156 136 165 132 166 120C168 98 154 84 128 84Z" fill="#b5521b" stroke="#4a1c08" stroke-width="8"/>
<path d="M118 70H138L142 174H114Z" fill="#2a1a12"/>
<g stroke="#3a1505" stroke-width="6"><path d="M103 166C112 172 98 190 108 200M153 166C144 172 158 190 148 200"/></g>
<path d="M110 188H146" stroke="#f2d7a6" stroke-width="8"/>
<path d="M118 212H138L134 246H122Z" fill="#2a1a12"/>
<g stroke="#f1ece0" stroke-width="2"><path d="M123 60V214M128 60V214M133 60V214"/></g>
</g>
<g transform="translate(190 158) rotate(35) translate(-190 -158)">
<path d="M186 44C204 90 204 220 192 262" stroke="#6b3d1c" stroke-width="9"/>
<path d="M186 48V250" stroke="#efe6d2" stroke-width="6"/>
<path d="M180 250H196" stroke="#2a1a12" stroke-width="14"/>
</g>""",
    "piano": """
<rect x="16" y="52" width="224" height="152" rx="10" fill="#20202a"/>
<rect x="16" y="52" width="224" height="34" rx="10" fill="#7a1f2b"/>
<g fill="#fbfbf7" stroke="#20202a" stroke-width="4"><rect x="26" y="84" width="29" height="112"/><rect x="55" y="84" width="29" height="112"/><rect x="84" y="84" width="29" height="112"/><rect x="113" y="84" width="29" height="112"/><rect x="142" y="84" width="29" height="112"/><rect x="171" y="84" width="29" height="112"/><rect x="200" y="84" width="29" height="112"/></g>
<g fill="#15151c"><rect x="46" y="84" width="19" height="68"/><rect x="75" y="84" width="19" height="68"/><rect x="133" y="84" width="19" height="68"/><rect x="162" y="84" width="19" height="68"/><rect x="191" y="84" width="19" height="68"/></g>""",
    "drum": """
<path d="M34 98V190C34 214 76 232 128 232C180 232 222 214 222 190V98Z" fill="#d4263c" stroke="#7c1120" stroke-width="6"/>
<path d="M34 120L66 214L98 138L128 228L160 138L192 214L222 120" stroke="#ffd95a" stroke-width="7"/>
<path d="M34 190C34 214 76 232 128 232C180 232 222 214 222 190" stroke="#f4b531" stroke-width="12"/>
<ellipse cx="128" cy="98" rx="94" ry="38" fill="#f7f2e4" stroke="#f4b531" stroke-width="12"/>
<g stroke="#b8793c" stroke-width="10"><path d="M36 22L116 92M220 22L140 92"/></g>
<g fill="#d99a57" stroke="#8a5523" stroke-width="3"><circle cx="118" cy="94" r="11"/><circle cx="138" cy="94" r="11"/></g>""",
    "trumpet": """
<g transform="rotate(-24 128 128)">
<path d="M196 112C214 110 228 96 240 76V176C228 156 214 142 196 140Z" fill="#f5b921" stroke="#9a6a05" stroke-width="6"/>
<path d="M22 119H200V133H22Z" fill="#f5b921" stroke="#9a6a05" stroke-width="6"/>
<path d="M18 112V140" stroke="#9a6a05" stroke-width="14"/>
<path d="M70 126V164C70 182 82 186 96 186H156C172 186 182 178 182 162V126" stroke="#9a6a05" stroke-width="20"/>
<path d="M70 126V164C70 182 82 186 96 186H156C172 186 182 178 182 162V126" stroke="#f5b921" stroke-width="10"/>
<g fill="#ffd65c" stroke="#9a6a05" stroke-width="5"><rect x="96" y="92" width="18" height="84" rx="5"/><rect x="119" y="92" width="18" height="84" rx="5"/><rect x="142" y="92" width="18" height="84" rx="5"/></g>
<g stroke="#9a6a05" stroke-width="7"><path d="M105 92V78M128 92V78M151 92V78"/></g>
<g fill="#fff0b8" stroke="#9a6a05" stroke-width="4"><ellipse cx="105" cy="75" rx="11" ry="6"/><ellipse cx="128" cy="75" rx="11" ry="6"/><ellipse cx="151" cy="75" rx="11" ry="6"/></g>
</g>""",
    "saxophone": """
<path d="M92 34C112 20 132 28 136 48L150 150C152 166 158 172 168 172C178 172 184 164 184 150V112H228C222 124 216 128 216 146C218 196 200 226 166 228C128 228 114 200 108 168L96 66C92 58 88 58 82 62Z" fill="#f5b921" stroke="#9a6a05" stroke-width="8"/>
<path d="M56 60L94 42" stroke="#25252d" stroke-width="14"/>
<path d="M176 112H236" stroke="#9a6a05" stroke-width="14"/>
<g fill="#fff0b8" stroke="#9a6a05" stroke-width="5"><circle cx="118" cy="76" r="11"/><circle cx="124" cy="108" r="11"/><circle cx="128" cy="140" r="11"/><circle cx="138" cy="176" r="12"/><circle cx="166" cy="204" r="11"/></g>""",
    "bell": """
<circle cx="128" cy="36" r="16" stroke="#9a6a05" stroke-width="11"/>
<circle cx="128" cy="212" r="24" fill="#b57a0b" stroke="#7a5104" stroke-width="6"/>
<path d="M128 48C88 48 68 80 66 122C64 166 54 178 34 196H222C202 178 192 166 190 122C188 80 168 48 128 48Z" fill="#f9c22e" stroke="#9a6a05" stroke-width="8"/>
<path d="M30 196H226" stroke="#9a6a05" stroke-width="17"/>
<path d="M30 196H226" stroke="#ffd95a" stroke-width="7"/>
<path d="M98 78C88 92 86 116 85 144" stroke="#fff2bd" stroke-width="11"/>""",
    "bicycle": spokes(62, 168, 46) + spokes(194, 168, 46) + """
<g stroke="#d42b3a" stroke-width="10"><path d="M62 168L100 88H172L124 168H62M100 88L124 168M194 168L164 62"/></g>
<path d="M90 74H122" stroke="#25252d" stroke-width="14"/>
<path d="M100 88L104 76" stroke="#25252d" stroke-width="9"/>
<path d="M164 62H146M164 62C184 56 196 62 192 78" stroke="#25252d" stroke-width="10"/>
<circle cx="124" cy="168" r="13" fill="#5a5f6d" stroke="#25252d" stroke-width="4"/>
<path d="M124 168L138 192M130 192H150" stroke="#25252d" stroke-width="7"/>""",
    "car": """
<path d="M50 122L78 76C82 69 88 66 96 66H156C164 66 171 69 176 75L210 118C226 120 238 128 240 142V168C240 176 236 180 228 180H28C20 180 16 176 16 168V146C16 132 30 124 50 122Z" fill="#e0322f" stroke="#7c1413" stroke-width="7"/>
<path d="M72 118L92 84H118V118Z" fill="#bfe4f7" stroke="#7c1413" stroke-width="5"/>
<path d="M132 84H154C160 84 163 86 166 90L186 118H132Z" fill="#bfe4f7" stroke="#7c1413" stroke-width="5"/>
<path d="M125 124V172" stroke="#7c1413" stroke-width="4"/>
<path d="M136 134H152" stroke="#7c1413" stroke-width="6"/>
<rect x="222" y="134" width="17" height="16" rx="5" fill="#ffe27a"/>
<rect x="17" y="138" width="12" height="15" rx="4" fill="#ffb1a8"/>
""" + wheel(70, 180, 29) + wheel(188, 180, 29),
    "ambulance": """
<rect x="92" y="40" width="44" height="22" rx="9" fill="#2b7de9" stroke="#173f7a" stroke-width="5"/>
<path d="M78 50L62 40M150 50L166 40M114 30V14" stroke="#2b7de9" stroke-width="8"/>
<path d="M16 62H168V96H196C204 96 209 99 213 105L234 142C238 148 240 152 240 160V190H16Z" fill="#fdfdfd" stroke="#55596a" stroke-width="7"/>
<path d="M176 108H196L214 142H176Z" fill="#a9d8f2" stroke="#55596a" stroke-width="5"/>
<path d="M16 152H240V172H16Z" fill="#e0322f"/>
<path d="M80 78H104V98H124V122H104V142H80V122H60V98H80Z" fill="#e0322f"/>
""" + wheel(66, 192, 28) + wheel(192, 192, 28),
    "police-car": """
<rect x="94" y="46" width="30" height="22" rx="7" fill="#e0322f" stroke="#25252d" stroke-width="4"/>
<rect x="124" y="46" width="30" height="22" rx="7" fill="#2b7de9" stroke="#25252d" stroke-width="4"/>
<path d="M82 50L66 40M166 50L182 40M100 36L94 20M148 36L154 20" stroke="#ffc928" stroke-width="7"/>
<path d="M48 124L76 78C80 71 86 68 94 68H156C164 68 171 71 176 77L210 120C226 122 238 130 240 144V172C240 180 236 184 228 184H28C20 184 16 180 16 172V148C16 134 30 126 48 124Z" fill="#20283c" stroke="#0d111c" stroke-width="6"/>
<path d="M70 122H188L200 184H58Z" fill="#fbfbfb"/>
<path d="M70 120L90 86H118V120ZM132 86H154C160 86 163 88 166 92L186 120H132Z" fill="#a9d8f2" stroke="#0d111c" stroke-width="5"/>
<path d="M128 132L134 146L149 147L137 156L141 171L128 162L115 171L119 156L107 147L122 146Z" fill="#f4b531"/>
<rect x="222" y="138" width="17" height="15" rx="5" fill="#ffe27a"/>
""" + wheel(70, 184, 28) + wheel(188, 184, 28),
    "train": """
<path d="M52 62C30 54 34 28 60 32C66 10 98 12 100 32C122 26 134 46 118 58Z" fill="#d5d9e2" stroke="#8d93a1" stroke-width="5"/>
<path d="M64 74H92L88 112H68Z" fill="#2c2f3a"/>
<path d="M58 72H98" stroke="#2c2f3a" stroke-width="12"/>
<rect x="38" y="108" width="124" height="66" rx="22" fill="#2e9a4b" stroke="#14522a" stroke-width="7"/>
<path d="M112 108C112 92 138 92 138 108Z" fill="#f4b531" stroke="#8a5f08" stroke-width="5"/>
<rect x="150" y="76" width="84" height="98" fill="#c8302f" stroke="#6d1414" stroke-width="7"/>
<rect x="168" y="92" width="48" height="36" fill="#bfe4f7" stroke="#6d1414" stroke-width="5"/>
<path d="M140 72H244" stroke="#2c2f3a" stroke-width="14"/>
<path d="M24 190L40 168H70V196H20Z" fill="#f4b531" stroke="#8a5f08" stroke-width="5"/>
<circle cx="52" cy="136" r="13" fill="#fff3b0" stroke="#8a5f08" stroke-width="5"/>
<path d="M12 226H244" stroke="#6b6f7c" stroke-width="9"/>
""" + wheel(92, 194, 25, "#e0322f") + wheel(144, 194, 25, "#e0322f") + wheel(204, 190, 30, "#e0322f"),
    "ship": """
<path d="M128 20V168" stroke="#6b4423" stroke-width="10"/>
<path d="M138 28C182 62 206 106 208 152H138Z" fill="#fdf7e6" stroke="#7d735a" stroke-width="6"/>
<path d="M118 48C86 82 62 118 52 152H118Z" fill="#ef6a5a" stroke="#8f2c22" stroke-width="6"/>
<path d="M128 14L158 24L128 34Z" fill="#e0322f"/>
<path d="M24 168H232C224 198 208 218 186 218H74C48 218 32 198 24 168Z" fill="#8a5327" stroke="#4c2a10" stroke-width="7"/>
<path d="M32 186H226" stroke="#f2d7a6" stroke-width="7"/>
<path d="M8 220C24 206 40 206 56 220C72 234 88 234 104 220C120 206 136 206 152 220C168 234 184 234 200 220C216 206 232 206 248 220V246H8Z" fill="#2f86d6"/>""",
    "rocket": """
<g transform="rotate(38 128 128)">
<path d="M104 202C96 226 112 240 128 262C144 240 160 226 152 202Z" fill="#ff9d1c"/>
<path d="M114 202C110 220 120 230 128 242C136 230 146 220 142 202Z" fill="#ffe25c"/>
<path d="M88 132L52 184V212L92 190ZM168 132L204 184V212L164 190Z" fill="#d4263c" stroke="#6f0f1e" stroke-width="6"/>
<path d="M128 -8C92 30 80 84 86 142L98 204H158L170 142C176 84 164 30 128 -8Z" fill="#f2f4f8" stroke="#4c5164" stroke-width="7"/>
<path d="M128 -8C110 10 99 32 92 56H164C157 32 146 10 128 -8Z" fill="#d4263c" stroke="#6f0f1e" stroke-width="6"/>
<circle cx="128" cy="104" r="25" fill="#5bbcf0" stroke="#4c5164" stroke-width="9"/>
<path d="M94 184H162" stroke="#4c5164" stroke-width="8"/>
</g>
<g fill="#ffd95a"><circle cx="40" cy="60" r="6"/><circle cx="72" cy="28" r="5"/><circle cx="214" cy="190" r="6"/><circle cx="186" cy="226" r="5"/></g>""",
    "airplane": """
<g transform="rotate(45 128 128)">
<path d="M128 6C112 6 106 26 106 48V92L14 152V178L106 150V206L78 228V246L128 234L178 246V228L150 206V150L242 178V152L150 92V48C150 26 144 6 128 6Z" fill="#5aa9e6" stroke="#1f4f80" stroke-width="8"/>
<path d="M116 40C118 26 138 26 140 40Z" fill="#e9f6ff"/>
<path d="M128 60V224" stroke="#d9eefc" stroke-width="8"/>
<g fill="#33415c"><rect x="52" y="120" width="16" height="30" rx="7"/><rect x="188" y="120" width="16" height="30" rx="7"/></g>
</g>""",
    "cat": """
<path d="M40 112L34 22L98 62ZM216 112L222 22L158 62Z" fill="#f39a2e" stroke="#8a4a0b" stroke-width="8"/>
<path d="M52 84L50 46L80 64ZM204 84L206 46L176 64Z" fill="#ffb7b2"/>
<path d="M128 56C68 56 28 96 28 148C28 200 72 232 128 232C184 232 228 200 228 148C228 96 188 56 128 56Z" fill="#f9ac45" stroke="#8a4a0b" stroke-width="8"/>
<path d="M128 60V92M102 66L108 92M154 66L148 92" stroke="#b5611a" stroke-width="11"/>
<ellipse cx="84" cy="140" rx="17" ry="22" fill="#7ed957" stroke="#25252d" stroke-width="5"/>
<ellipse cx="172" cy="140" rx="17" ry="22" fill="#7ed957" stroke="#25252d" stroke-width="5"/>
<ellipse cx="84" cy="140" rx="6" ry="18" fill="#15151c"/><ellipse cx="172" cy="140" rx="6" ry="18" fill="#15151c"/>
<path d="M114 170H142L128 186Z" fill="#e5737f" stroke="#8a2f3a" stroke-width="4"/>
<path d="M128 186C126 204 108 206 100 198M128 186C130 204 148 206 156 198" stroke="#5a2f0c" stroke-width="6"/>
<g stroke="#5a2f0c" stroke-width="5"><path d="M66 180L10 168M66 192L12 202M190 180L246 168M190 192L244 202"/></g>""",
    "dog": """
<path d="M128 36C82 36 54 66 54 112V156C54 202 88 232 128 232C168 232 202 202 202 156V112C202 66 174 36 128 36Z" fill="#c98a4b" stroke="#5d3714" stroke-width="8"/>
<path d="M72 52C40 42 18 66 18 104C18 140 30 168 48 166C66 164 66 130 68 108Z" fill="#7a4a22" stroke="#4a2a0f" stroke-width="8"/>
<path d="M184 52C216 42 238 66 238 104C238 140 226 168 208 166C190 164 190 130 188 108Z" fill="#7a4a22" stroke="#4a2a0f" stroke-width="8"/>
<path d="M128 120C96 130 78 158 80 186C84 214 104 230 128 230C152 230 172 214 176 186C178 158 160 130 128 120Z" fill="#f7e7cf"/>
<circle cx="98" cy="112" r="13" fill="#17171d"/><circle cx="158" cy="112" r="13" fill="#17171d"/>
<circle cx="102" cy="107" r="4" fill="#ffffff"/><circle cx="162" cy="107" r="4" fill="#ffffff"/>
<path d="M114 190C112 226 120 242 130 242C140 242 148 226 142 190Z" fill="#ef6f7f" stroke="#9c2c3c" stroke-width="5"/>
<ellipse cx="128" cy="156" rx="25" ry="18" fill="#17171d"/>
<path d="M128 172V186C122 200 104 200 96 190M128 186C134 200 152 200 160 190" stroke="#17171d" stroke-width="7"/>""",
    "bird": """
<path d="M30 132L4 116L34 98Z" fill="#f7a21b" stroke="#a5650a" stroke-width="5"/>
<path d="M178 150L250 118L238 152L252 178L186 186Z" fill="#1f6fc4" stroke="#123f74" stroke-width="6"/>
<path d="M84 60C48 60 26 88 28 120C30 172 72 206 122 206C164 206 200 186 206 156C186 158 150 148 138 112C128 76 112 60 84 60Z" fill="#3d9be9" stroke="#123f74" stroke-width="8"/>
<path d="M34 140C40 176 76 204 118 206C130 176 96 132 34 140Z" fill="#fbf3e2"/>
<path d="M112 118C136 112 178 124 196 158C168 188 120 178 112 118Z" fill="#1f6fc4" stroke="#123f74" stroke-width="6"/>
<circle cx="70" cy="102" r="12" fill="#14141a"/><circle cx="74" cy="98" r="4" fill="#ffffff"/>
<g stroke="#d57d10" stroke-width="8"><path d="M100 206V238M100 238H80M100 238H118M138 204V238M138 238H120M138 238H156"/></g>""",
    "fish": """
<path d="M178 128L246 70C236 108 236 148 246 186Z" fill="#f2762e" stroke="#933a09" stroke-width="7"/>
<path d="M96 72C110 40 146 34 166 46C158 62 156 76 158 92Z" fill="#f2762e" stroke="#933a09" stroke-width="7"/>
<path d="M104 184C114 214 142 222 160 212C154 198 152 186 154 172Z" fill="#f2762e" stroke="#933a09" stroke-width="7"/>
<path d="M10 128C38 80 80 62 118 64C154 66 180 96 198 128C180 160 154 190 118 192C80 194 38 176 10 128Z" fill="#ff9a3d" stroke="#933a09" stroke-width="8"/>
<path d="M92 72C112 106 112 150 92 184M140 74C158 106 158 150 140 182" stroke="#ffffff" stroke-width="13"/>
<circle cx="56" cy="114" r="16" fill="#ffffff" stroke="#933a09" stroke-width="4"/><circle cx="54" cy="114" r="8" fill="#14141a"/>
<path d="M12 130C24 140 34 142 44 138" stroke="#933a09" stroke-width="6"/>
<path d="M102 126C118 116 130 122 134 136C122 146 110 142 102 126Z" fill="#f2762e" stroke="#933a09" stroke-width="5"/>""",
    "horse": """
<path d="M88 34L104 6L122 36Z" fill="#96592a" stroke="#4b2a10" stroke-width="7"/>
<path d="M96 28C62 62 42 112 28 148C20 168 26 186 44 190C58 194 68 186 78 176C90 166 106 162 122 158C118 190 108 220 92 250H224C232 180 222 100 184 60C160 34 126 18 96 28Z" fill="#b06c34" stroke="#4b2a10" stroke-width="8"/>
<path d="M108 24C140 4 184 20 210 62C238 108 248 180 244 250H204C208 190 200 140 176 104C156 74 132 52 108 24Z" fill="#3a2415" stroke="#22140a" stroke-width="6"/>
<path d="M106 30C88 46 84 70 96 88C104 70 112 52 106 30Z" fill="#3a2415"/>
<circle cx="92" cy="104" r="10" fill="#17171d"/>
<path d="M28 148C20 168 26 186 44 190C58 194 66 188 74 180C60 176 40 166 28 148Z" fill="#e9cfae"/>
<circle cx="40" cy="164" r="5" fill="#4b2a10"/>
<path d="M50 178C58 178 66 176 72 172" stroke="#4b2a10" stroke-width="5"/>""",
    "tree": """
<path d="M108 150H148L158 244H98Z" fill="#8a5a2b" stroke="#4f3013" stroke-width="6"/>
<path d="M128 14C96 14 76 34 76 56C46 56 24 78 26 106C14 128 28 160 60 162C76 182 108 182 128 170C148 182 180 182 196 162C228 160 242 128 230 106C232 78 210 56 180 56C180 34 160 14 128 14Z" fill="#3fa34d" stroke="#1c5a27" stroke-width="8"/>
<path d="M84 92C92 76 108 72 118 78M142 118C154 106 172 108 180 118M66 132C74 122 88 122 96 130" stroke="#7bd07f" stroke-width="9"/>""",
    "flower": """
<path d="M128 150V246" stroke="#2f8f3e" stroke-width="13"/>
<path d="M128 216C100 218 74 204 64 180C94 172 120 186 128 216ZM128 200C152 198 178 186 188 160C158 156 134 170 128 200Z" fill="#4cb85c" stroke="#1f6a2c" stroke-width="5"/>
""" + ring(8, 46, '<ellipse cx="0" cy="0" rx="23" ry="37" fill="#f25ca2" stroke="#a11d5f" stroke-width="5"/>', 128, 98)
    + """
<circle cx="128" cy="98" r="30" fill="#ffd23f" stroke="#c28a06" stroke-width="6"/>
<g fill="#c28a06"><circle cx="120" cy="92" r="4"/><circle cx="136" cy="92" r="4"/><circle cx="128" cy="106" r="4"/></g>""",
    "sun": ring(12, 98, '<path d="M-11 16L0 -24L11 16Z" fill="#ffb703" stroke="#d98a00" stroke-width="5"/>')
    + """
<circle cx="128" cy="128" r="74" fill="#ffd233" stroke="#f0a500" stroke-width="9"/>""",
    "rain-cloud": """
<path d="M70 160C36 160 14 138 16 110C18 84 40 68 64 70C72 38 104 20 138 28C166 34 184 54 188 78C218 76 242 94 242 120C242 144 224 160 196 160Z" fill="#9fb0c6" stroke="#566479" stroke-width="8"/>
<path d="M64 92C76 78 96 76 108 84" stroke="#dbe4ef" stroke-width="10"/>
<g stroke="#2f86d6" stroke-width="13"><path d="M70 182L58 206M118 182L106 206M166 182L154 206M210 182L198 206M94 218L84 240M142 218L132 240M188 218L178 240"/></g>""",
    "lightning": """
<path d="M70 132C38 132 16 112 18 86C20 62 42 48 64 50C72 22 104 8 136 14C164 20 182 36 188 60C216 58 240 74 240 98C240 120 222 132 196 132Z" fill="#5f6b80" stroke="#333c4c" stroke-width="8"/>
<path d="M146 104L80 186H120L98 250L182 158H138L166 104Z" fill="#ffd21f" stroke="#c58a00" stroke-width="7"/>""",
    "snowman": """
<circle cx="128" cy="186" r="62" fill="#f7fbff" stroke="#7b93ad" stroke-width="8"/>
<circle cx="128" cy="90" r="44" fill="#f7fbff" stroke="#7b93ad" stroke-width="8"/>
<path d="M92 50H164V6H92Z" fill="#2b2b33"/><path d="M92 38H164" stroke="#d4263c" stroke-width="12"/>
<path d="M72 52H184" stroke="#2b2b33" stroke-width="13"/>
<circle cx="112" cy="82" r="7" fill="#17171d"/><circle cx="144" cy="82" r="7" fill="#17171d"/>
<path d="M126 92L172 102L126 106Z" fill="#ff8a1f" stroke="#b75500" stroke-width="4"/>
<path d="M86 126C110 140 146 140 170 126" stroke="#d4263c" stroke-width="17"/>
<path d="M152 134L164 176" stroke="#d4263c" stroke-width="17"/>
<g fill="#17171d"><circle cx="124" cy="164" r="7"/><circle cx="124" cy="190" r="7"/><circle cx="124" cy="216" r="7"/></g>
<g stroke="#6b4423" stroke-width="8"><path d="M70 168L20 134M38 146L22 154M38 146L36 126M186 168L236 134M218 146L234 154M218 146L220 126"/></g>""",
    "house": """
<rect x="174" y="40" width="28" height="60" fill="#a2462f" stroke="#5a2213" stroke-width="6"/>
<rect x="44" y="118" width="168" height="118" fill="#f6dfb0" stroke="#8a6a35" stroke-width="7"/>
<path d="M128 24L236 128H20Z" fill="#cf3f30" stroke="#701a12" stroke-width="9"/>
<rect x="106" y="162" width="46" height="74" fill="#7a4a22" stroke="#43260d" stroke-width="6"/><circle cx="142" cy="202" r="5" fill="#ffd95a"/>
<g fill="#9ad7f5" stroke="#8a6a35" stroke-width="6"><rect x="60" y="148" width="32" height="34"/><rect x="166" y="148" width="32" height="34"/></g>
<g stroke="#8a6a35" stroke-width="4"><path d="M76 148V182M60 165H92M182 148V182M166 165H198"/></g>""",
    "clock": """
<g stroke="#5a2d0c" stroke-width="16"><path d="M72 216L52 242M184 216L204 242"/></g>
<path d="M34 74C24 44 54 18 84 32ZM222 74C232 44 202 18 172 32Z" fill="#f4b531" stroke="#8a5f08" stroke-width="7"/>
<path d="M128 34V18M112 16H144" stroke="#8a5f08" stroke-width="10"/>
<circle cx="128" cy="132" r="96" fill="#d4263c" stroke="#740f1e" stroke-width="7"/>
<circle cx="128" cy="132" r="74" fill="#fffdf5" stroke="#740f1e" stroke-width="5"/>
<g stroke="#2b2b33" stroke-width="9"><path d="M128 70V82M128 182V194M66 132H78M178 132H190"/></g>
<g stroke="#6b6f7c" stroke-width="5"><path d="M159 78L155 85M97 78L101 85M159 186L155 179M97 186L101 179M182 101L175 105M74 101L81 105M182 163L175 159M74 163L81 159"/></g>
<path d="M128 132V90" stroke="#17171d" stroke-width="10"/><path d="M128 132L162 150" stroke="#17171d" stroke-width="10"/>
<circle cx="128" cy="132" r="9" fill="#d4263c"/>""",
    "telephone": """
<path d="M84 92H172C196 112 220 166 226 220H30C36 166 60 112 84 92Z" fill="#d4263c" stroke="#740f1e" stroke-width="8"/>
<path d="M18 104C12 60 66 30 128 30C190 30 244 60 238 104C236 116 186 116 184 104C182 88 178 80 128 80C78 80 74 88 72 104C70 116 20 116 18 104Z" fill="#b5172e" stroke="#740f1e" stroke-width="8"/>
<circle cx="128" cy="158" r="48" fill="#fffaf0" stroke="#740f1e" stroke-width="6"/>
""" + ring(8, 32, f'<circle r="8" fill="{INK}"/>', 128, 158) + """
<circle cx="128" cy="158" r="15" fill="#f4b531"/>
<path d="M30 222H226" stroke="#740f1e" stroke-width="14"/>""",
    "apple": """
<path d="M128 78C106 56 64 60 44 92C22 130 44 196 82 226C98 238 112 234 128 228C144 234 158 238 174 226C212 196 234 130 212 92C192 60 150 56 128 78Z" fill="#e02d35" stroke="#7d1016" stroke-width="8"/>
<path d="M128 78C126 54 130 36 144 20" stroke="#6b4423" stroke-width="12"/>
<path d="M136 52C150 22 186 18 208 26C202 50 172 68 136 52Z" fill="#58b947" stroke="#28691d" stroke-width="6"/>
<path d="M68 100C58 112 56 130 60 148" stroke="#ff9d97" stroke-width="13"/>""",
    "pizza": """
<path d="M22 62C80 16 176 16 234 62L128 246Z" fill="#ffd166" stroke="#b0741a" stroke-width="7"/>
<path d="M22 62C80 16 176 16 234 62" stroke="#c98232" stroke-width="30"/>
<path d="M28 54C84 14 172 14 228 54" stroke="#e9ad62" stroke-width="9"/>
<g fill="#d63a2c" stroke="#8c1c12" stroke-width="5"><circle cx="92" cy="92" r="21"/><circle cx="160" cy="100" r="21"/><circle cx="122" cy="156" r="20"/></g>
<g fill="#3c8f3f"><ellipse cx="128" cy="76" rx="12" ry="6" transform="rotate(25 128 76)"/><ellipse cx="150" cy="142" rx="12" ry="6" transform="rotate(-40 150 142)"/><ellipse cx="92" cy="128" rx="11" ry="6" transform="rotate(60 92 128)"/><ellipse cx="130" cy="196" rx="10" ry="5" transform="rotate(-30 130 196)"/></g>""",
    "coffee": """
<g stroke="#a9b1bf" stroke-width="10"><path d="M86 70C72 54 100 44 86 22M126 70C112 54 140 44 126 22M166 70C152 54 180 44 166 22"/></g>
<path d="M198 116C240 108 246 172 190 172" stroke="#8a93a3" stroke-width="24"/><path d="M198 116C240 108 246 172 190 172" stroke="#fdfdfd" stroke-width="12"/>
<path d="M46 96H206L196 184C192 206 178 214 160 214H92C74 214 60 206 56 184Z" fill="#fdfdfd" stroke="#8a93a3" stroke-width="8"/>
<ellipse cx="126" cy="98" rx="80" ry="21" fill="#5b3216" stroke="#8a93a3" stroke-width="8"/>
<path d="M20 222H232C226 240 206 246 190 246H62C46 246 26 240 20 222Z" fill="#d7dce5" stroke="#8a93a3" stroke-width="6"/>""",
    "umbrella": """
<path d="M128 28V206C128 232 92 232 92 206" stroke="#6b4423" stroke-width="13"/>
<path d="M128 30C66 30 22 76 18 134C36 116 56 116 74 134C90 116 110 116 128 134C146 116 166 116 182 134C200 116 220 116 238 134C234 76 190 30 128 30Z" fill="#7a3fd1" stroke="#3d1a77" stroke-width="8"/>
<path d="M128 30C92 48 76 88 74 134C90 116 110 116 128 134C146 116 166 116 182 134C180 88 164 48 128 30Z" fill="#a877f0" stroke="#3d1a77" stroke-width="6"/>
<path d="M128 30V12" stroke="#3d1a77" stroke-width="9"/>""",
    "book": """
<path d="M128 72C98 46 56 42 20 52V206C56 196 98 200 128 224C158 200 200 196 236 206V52C200 42 158 46 128 72Z" fill="#fffdf4" stroke="#2d5aa0" stroke-width="11"/>
<path d="M128 72V224" stroke="#2d5aa0" stroke-width="9"/>
<g stroke="#8a93a3" stroke-width="7"><path d="M44 84C66 80 88 84 106 96M44 114C66 110 88 114 106 126M44 144C66 140 88 144 106 156M212 84C190 80 168 84 150 96M212 114C190 110 168 114 150 126M212 144C190 140 168 144 150 156"/></g>""",
    "heart": """
<path d="M128 232C60 182 18 140 20 92C22 54 52 32 82 36C104 38 120 52 128 72C136 52 152 38 174 36C204 32 234 54 236 92C238 140 196 182 128 232Z" fill="#e3263f" stroke="#860f20" stroke-width="8"/>
<path d="M58 74C46 84 44 98 48 112" stroke="#ffa3ac" stroke-width="13"/>""",
}
