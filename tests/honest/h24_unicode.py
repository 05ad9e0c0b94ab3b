"""Writes names, comments and texts in other alphabets, with tabs and trailing blanks."""

# %% double-solution
# σ — удвоение 二倍 🙂‍↔️ \u202e
def verdoppelt_ß(λ):	
	return λ + λ   


double = verdoppelt_ß
print("😀 é ﷽ 𝔘𝔫𝔦𝔠𝔬𝔡𝔢")
